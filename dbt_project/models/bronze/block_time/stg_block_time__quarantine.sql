select
    split_part(filename, '/', -3) as feed,
    raw,
    reasons,
    {{ provenance() }}
from {{ source('block_time', 'quarantine') }}
where {{ window_bound(2) }} <= {{ window_end() }}
