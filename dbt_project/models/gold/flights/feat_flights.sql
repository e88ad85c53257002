{{ config(incremental_predicates=[in_range('decision_at')]) }}

with

flights as (
    select *
    from {{ ref('int_flights__conformed') }}
    where {{ in_range('decision_at') }}
),

queues as (
    select *
    from {{ ref('int_flights__queues') }}
    where {{ in_range('decision_at') }}
),

rates as (
    select *
    from {{ ref('int_flights__rates') }}
    where {{ in_range('decision_at') }}
),

observations as (
    select *
    from {{ ref('int_flights__weather') }}
    where {{ in_range_since('known_at', '1 day') }}
),

-- a day later it tells nothing any more
weather as (
    select
        flights.flight_id,
        observations.*
    from flights
    asof inner join observations
        on
            flights.origin = observations.origin
            and flights.decision_at >= observations.known_at
    where observations.known_at > flights.decision_at - interval '1 day'
),

final as (
    select
        flights.flight_id,
        flights.decision_at,
        flights.scheduled_departure_at,
        flights.origin,
        flights.carrier,
        flights.flight_number,
        flights.destination,
        flights.scheduled_hour,
        flights.scheduled_weekday,
        flights.distance_mi,
        flights.scheduled_elapsed_min,
        queues.origin_hour_departures,
        weather.temperature_f,
        weather.dew_point_f,
        weather.humidity_pct,
        weather.wind_speed_mph,
        weather.wind_gust_mph,
        weather.precipitation_in,
        weather.visibility_mi,
        date_diff('minute', weather.observed_at, flights.decision_at) as weather_age_min,
        queues.origin_waiting,
        queues.origin_mean_delay_min,
        queues.carrier_waiting,
        queues.carrier_mean_delay_min,
        queues.origin_departed_2h,
        queues.other_origins_mean_delay_min,
        queues.destination_mean_arrival_delay_min,
        queues.origin_cancelled_3h,
        rates.carrier_rate_14d,
        rates.route_rate_28d,
        rates.origin_hour_rate_28d,
        rates.flight_number_rate_28d,
        rates.carrier_hour_rate,
        flights.known_at as schedule_known_at,
        weather.known_at as weather_known_at,
        -- where nothing had been told, the queues rest on the schedule alone
        coalesce(queues.known_at, flights.known_at) as movements_known_at,
        rates.known_at as rates_known_at
    from flights
    inner join queues on flights.flight_id = queues.flight_id
    inner join rates on flights.flight_id = rates.flight_id
    left join weather on flights.flight_id = weather.flight_id
)

select * from final
order by decision_at
