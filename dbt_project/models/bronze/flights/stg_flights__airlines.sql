select
    carrier,
    airline_name,
    {{ window_bound(1) }} as known_at,
    {{ provenance() }}
from {{ source('flights', 'airlines') }}
where {{ window_bound(2) }} <= {{ window_end() }}
