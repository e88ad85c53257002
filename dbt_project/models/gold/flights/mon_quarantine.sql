{{ config(materialized='view') }}

with

quarantine as (
    select
        feed,
        _window as landed_window,
        _file,
        _row,
        unnest(reasons) as reason
    from {{ ref('stg_flights__quarantine') }}
),

final as (
    select
        feed,
        landed_window,
        reason,
        count(_row) as rows,
        count(distinct _file) as files
    from quarantine
    group by all
)

select * from final
