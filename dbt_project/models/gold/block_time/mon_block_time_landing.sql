{{ config(incremental_predicates=[in_landed('landed_window')]) }}

{{ mon_landing("block_time", ["schedules", "landings", "planes"]) }}
order by landed_window
