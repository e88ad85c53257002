select
    {{ flight_id() }} as flight_id,
    flight_date,
    carrier,
    flight_number,
    origin,
    landed_at,
    air_time_min,
    tail_number,
    {{ known_at('landed_at') }} as known_at,
    {{ provenance() }}
from {{ source('block_time', 'landings') }}
where {{ window_bound(2) }} <= {{ window_end() }}
