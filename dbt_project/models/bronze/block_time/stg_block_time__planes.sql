select
    tail_number,
    built_year,
    aircraft_type,
    manufacturer,
    model,
    engines,
    seats,
    speed_mph,
    engine,
    {{ window_bound(1) }} as known_at,
    {{ provenance() }}
from {{ source('block_time', 'planes') }}
where {{ window_bound(2) }} <= {{ window_end() }}
