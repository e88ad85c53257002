{{ config(incremental_predicates=[in_range('decision_at')]) }}

with

-- a version counts if it was known when its day was planned
timely as (
    select
        *,
        {{ block_time_decided_at('flight_date') }} as decision_at
    from {{ ref('stg_block_time__schedules') }}
    where
        {{ in_days('flight_date', 1) }}
        and known_at <= {{ block_time_decided_at('flight_date') }}
),

latest as (
    select *
    from timely
    where {{ in_range('decision_at') }}
    qualify row_number() over (
        partition by flight_id order by known_at desc, sent_at desc, _file desc, _row desc
    ) = 1
),

final as (
    select
        flight_id,
        flight_date,
        carrier,
        flight_number,
        origin,
        destination,
        distance_mi,
        scheduled_departure_at,
        -- off the scheduled duration by the zones' difference, which is the route's
        (
            scheduled_arrival_hhmm // 100 * 60 + scheduled_arrival_hhmm % 100
            - scheduled_departure_hhmm // 100 * 60 - scheduled_departure_hhmm % 100
            + 1440
        ) % 1440 as scheduled_clock_min,
        scheduled_departure_hhmm // 100 % 24 as scheduled_hour,
        strftime(flight_date, '%a') as scheduled_weekday,
        decision_at,
        known_at
    from latest
)

select * from final
order by decision_at
