{#- By local day, so that all versions of a flight meet, whatever moment each of them names. -#}
{{ config(incremental_predicates=[in_days('flight_date', 1)]) }}

with

versions as (
    select
        *,
        scheduled_departure_at - to_hours({{ var("flights_decision_lead_h") }}) as decision_at
    from {{ ref('stg_flights__schedules') }}
    where {{ in_days('flight_date', 1) }} and known_at < {{ range_end() }}
),

-- a version counts if it was known before the flight was decided on, by it or by another one
timely as (
    select *
    from versions
    where known_at <= decision_at
    qualify known_at <= min(decision_at) over (partition by flight_id)
),

latest as (
    select *
    from timely
    qualify row_number() over (
        partition by flight_id order by known_at desc, sent_at desc, _file desc, _row desc
    ) = 1
),

airports as (
    select airports.*
    from {{ ref('stg_flights__airports') }} as airports
    semi join pg_timezone_names() as zones on airports.time_zone = zones.name
),

-- Caribbean airports that the registry lacks
extra_zones as (
    select
        unnest(['BQN', 'PSE', 'SJU', 'STT']) as airport_code,
        'America/Puerto_Rico' as time_zone
),

zoned as (
    select
        latest.*,
        {{ flights_local('latest.scheduled_departure_at') }} as origin_local_at,
        coalesce(airports.time_zone, extra_zones.time_zone) as destination_zone,
        (latest.scheduled_departure_at at time zone 'UTC') at time zone destination_zone
            as destination_local_at
    from latest
    asof left join airports
        on
            latest.destination = airports.airport_code
            and latest.known_at >= airports.known_at
    left join extra_zones on latest.destination = extra_zones.airport_code
),

-- the clock at the destination shows the arrival today or, if that has passed, tomorrow
arrivals as (
    select
        *,
        date_trunc('day', destination_local_at) + {{ clock('scheduled_arrival_hhmm') }}
            as clock_today,
        {{ to_utc('clock_today', 'destination_zone') }} as today_at,
        {{ to_utc("clock_today + interval '1 day'", 'destination_zone') }} as tomorrow_at,
        if(today_at > scheduled_departure_at, today_at, tomorrow_at) as scheduled_arrival_at
    from zoned
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
        scheduled_arrival_at,
        date_diff('minute', scheduled_departure_at, scheduled_arrival_at) as scheduled_elapsed_min,
        hour(origin_local_at) as scheduled_hour,
        strftime(origin_local_at, '%a') as scheduled_weekday,
        decision_at,
        known_at
    from arrivals
)

select * from final
order by flight_date
