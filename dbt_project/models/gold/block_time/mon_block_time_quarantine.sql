{{ config(materialized='view') }}

{{ mon_quarantine("block_time") }}
