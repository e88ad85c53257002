select
    {{ flight_id() }} as flight_id,
    flight_date,
    carrier,
    flight_number,
    origin,
    destination,
    scheduled_departure_at,
    scheduled_departure_hhmm,
    scheduled_arrival_hhmm,
    distance_mi,
    sent_at,
    {{ known_at('sent_at') }} as known_at,
    {{ provenance() }}
from {{ source('block_time', 'schedules') }}
where {{ window_bound(2) }} <= {{ window_end() }}
