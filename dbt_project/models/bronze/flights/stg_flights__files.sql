with

files as (
    select
        feed,
        "window" as _window,
        unnest(files) as file
    from {{ source('flights', 'manifests') }}
),

final as (
    select
        feed,
        _window,
        file.name as file_name,
        file.producer,
        file.arrived_at,
        file.bytes,
        file.rows as landed_rows,
        file.accepted as accepted_rows,
        file.verdict,
        file.reason,
        file.sha256 as _sha256
    from files
)

select * from final
where {{ window_bound(2) }} <= {{ window_end() }}
