{{ config(materialized='view') }}

{{ mon_freshness("block_time", {"schedules": "sent_at", "landings": "landed_at"}) }}
