{{ config(materialized='view') }}
{%- set sent_at = {"schedules": "sent_at", "movements": "event_at", "weather": "sent_at"} -%}

{{ mon_freshness("flights", sent_at) }}
