{{ config(incremental_predicates=[in_range('known_at')]) }}

with

-- what was told twice counts from when it was first told
landings as (
    select *
    from {{ ref('stg_block_time__landings') }}
    where {{ in_range_since('known_at', '7 days') }}
    qualify row_number() over (
        partition by flight_id order by known_at, landed_at, _file, _row
    ) = 1
),

flights as (
    select *
    from {{ ref('int_block_time__conformed') }}
    where {{ in_range_since('decision_at', '7 days') }}
),

planes as (
    select *
    from {{ ref('stg_block_time__planes') }}
    qualify row_number() over (
        partition by tail_number order by known_at desc, _file desc, _row desc
    ) = 1
),

final as (
    select
        landings.flight_id,
        flights.carrier,
        flights.origin,
        flights.destination,
        flights.decision_at,
        landings.air_time_min,
        planes.seats,
        landings.known_at,
        {{ block_time_first_date('landings.known_at') }} as first_date
    from landings
    inner join flights on landings.flight_id = flights.flight_id
    left join planes
        on
            landings.tail_number = planes.tail_number
            and landings.known_at >= planes.known_at
    where {{ in_range('landings.known_at') }}
)

select * from final
order by known_at
