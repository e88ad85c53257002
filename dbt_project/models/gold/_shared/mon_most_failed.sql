{{ config(materialized='view') }}

with

results as (
    select * from {{ ref('mon_dbt_results') }}
),

findings as (
    select * from {{ ref('mon_findings') }}
),

-- a window counts once, however often it was built
looks as (
    select
        name,
        kind,
        built_window,
        bool_or(status in ('fail', 'error')) as has_failed,
        arg_max(status in ('fail', 'error'), built_at) as is_failing
    from results
    where status <> 'skipped'
    group by all
    union all
    select
        check_name as name,
        'check' as kind,
        checked_window as built_window,
        bool_or(state in ('found', 'appeared', 'disappeared')) as has_failed,
        has_failed as is_failing
    from findings
    group by all
),

final as (
    select
        name,
        kind,
        count(*) as windows,
        count(*) filter (has_failed) as failed_windows,
        failed_windows / windows as failed_share,
        max(built_window) filter (has_failed) as last_failed_window,
        arg_max(is_failing, built_window) as is_failing_now
    from looks
    group by all
    having failed_windows > 0
)

select * from final
order by failed_windows desc, name asc
