{{ config(incremental_predicates=[in_landed('landed_window')]) }}
{%- set feeds = ["schedules", "movements", "weather", "planes", "airports", "airlines"] -%}

{{ mon_landing("flights", feeds) }}
order by landed_window
