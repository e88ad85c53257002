with

files as (
    select
        manifests.feed,
        manifests."window" as _window,
        manifests.contract['version'] as contract_version,
        manifests.changes as contract_changes,
        unnest(manifests.files) as landed
    from {{ source('block_time', 'manifests') }} as manifests
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
        coalesce(files.landed.corrected, 0) as corrected_rows,
        coalesce(files.landed.drift, []) as header_drift,
        files.contract_version,
        coalesce(files.contract_changes, []) as contract_changes,
        files.landed.verdict,
        files.landed.reason,
        files.landed.sha256 as _sha256
    from files
)

select * from final
where {{ window_bound(2) }} <= {{ window_end() }}
