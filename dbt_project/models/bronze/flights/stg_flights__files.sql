with

files as (
    select
        feed,
        "window" as _window,
        unnest(files) as landed
    from {{ source('flights', 'manifests') }}
),

final as (
    select
        files.feed,
        files._window,
        files.landed.name as file_name,
        files.landed.producer,
        files.landed.arrived_at,
        files.landed.bytes,
        files.landed.rows as landed_rows,
        files.landed.accepted as accepted_rows,
        files.landed.verdict,
        files.landed.reason,
        files.landed.sha256 as _sha256
    from files
)

select * from final
where {{ window_bound(2) }} <= {{ window_end() }}
