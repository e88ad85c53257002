select
    origin,
    observed_at,
    temperature_f,
    dew_point_f,
    humidity_pct,
    wind_direction_deg,
    wind_speed_mph,
    wind_gust_mph,
    precipitation_in,
    pressure_hpa,
    visibility_mi,
    sent_at,
    {{ known_at('sent_at') }} as known_at,
    {{ provenance() }}
from {{ source('flights', 'weather') }}
where {{ window_bound(2) }} <= {{ window_end() }}
