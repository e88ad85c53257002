select
    split_part(filename, '/', -3) as feed,
    raw,
    reasons,
    {{ provenance() }}
from {{ source('flights', 'quarantine') }}
where {{ window_bound(2) }} <= {{ window_end() }}
