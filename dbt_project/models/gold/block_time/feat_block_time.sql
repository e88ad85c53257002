{{ config(incremental_predicates=[in_range('decision_at')]) }}

with

flights as (
    select *
    from {{ ref('int_block_time__conformed') }}
    where {{ in_range('decision_at') }}
),

flown as (
    select *
    from {{ ref('int_block_time__trailing') }}
    where {{ in_range('decision_at') }}
),

final as (
    select
        flights.flight_id,
        flights.decision_at,
        flights.scheduled_departure_at,
        flights.origin,
        flights.destination,
        flights.carrier,
        flights.flight_number,
        flights.distance_mi,
        flights.scheduled_clock_min,
        flights.scheduled_hour,
        flights.scheduled_weekday,
        flown.route_flights,
        flown.route_air_time_min,
        flown.route_last_week_above_min,
        flown.route_last_day_above_min,
        flown.destination_last_day_above_min,
        flown.carrier_route_above_min,
        flown.route_seats,
        coalesce(
            flown.route_median_min,
            {{ block_time_booked_min('flights.distance_mi') }}
        ) as route_median_min,
        flights.known_at as schedule_known_at,
        -- where nothing had been flown, that is known from the schedule's moment on
        coalesce(flown.known_at, flights.known_at) as landings_known_at
    from flights
    inner join flown using (flight_date, carrier, origin, destination)
)

select * from final
order by decision_at
