{{ config(materialized='view') }}

with

results as (
    select * from {{ ref('mon_dbt_results') }}
),

-- builds that ended otherwise on the same data and code have ids of their own
final as (
    select
        name,
        kind,
        built_window,
        layer,
        landing_sha256,
        code_sha256,
        count(*) filter (status in ('pass', 'success')) as passed_builds,
        count(*) filter (status in ('fail', 'error')) as failed_builds,
        arg_max(message, built_at) filter (status in ('fail', 'error')) as last_message
    from results
    group by all
    having passed_builds > 0 and failed_builds > 0
)

select * from final
order by failed_builds desc, name asc, built_window asc
