select
    airport_code,
    airport_name,
    latitude_deg,
    longitude_deg,
    altitude_ft,
    utc_offset_h,
    dst_rule,
    time_zone,
    {{ window_bound(1) }} as known_at,
    {{ provenance() }}
from {{ source('flights', 'airports') }}
where {{ window_bound(2) }} <= {{ window_end() }}
