select
    {{ flight_id() }} as flight_id,
    flight_date,
    carrier,
    flight_number,
    origin,
    event,
    event_at,
    delay_min,
    tail_number,
    {{ known_at('event_at') }} as known_at,
    {{ provenance() }}
from {{ source('flights', 'movements') }}
where {{ window_bound(2) }} <= {{ window_end() }}
