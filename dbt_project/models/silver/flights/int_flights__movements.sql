{{ config(incremental_predicates=[in_range('known_at')]) }}

with

movements as (
    select *
    from {{ ref('stg_flights__movements') }}
    where {{ in_range_since('known_at', '7 days') }}
),

-- what was told twice counts from when it was first told
first_told as (
    select *
    from movements
    qualify row_number() over (
        partition by flight_id, event order by known_at, event_at, _file, _row
    ) = 1
),

final as (
    select
        flight_id,
        event,
        flight_date,
        carrier,
        origin,
        event_at,
        delay_min,
        tail_number,
        known_at
    from first_told
    where {{ in_range('known_at') }}
)

select * from final
order by known_at
