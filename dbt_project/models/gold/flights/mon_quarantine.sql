{{ config(materialized='view') }}

{{ mon_quarantine("flights") }}
