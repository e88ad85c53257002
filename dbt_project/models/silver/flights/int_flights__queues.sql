{{ config(incremental_predicates=[in_range('decision_at')]) }}

with

flights as (
    select *
    from {{ ref('int_flights__conformed') }}
    where {{ in_days('flight_date', 7) }}
),

movements as (
    select *
    from {{ ref('int_flights__movements') }}
    where {{ in_range_since('known_at', '1 day') }}
),

decisions as (
    select *
    from flights
    where {{ in_range('decision_at') }}
),

moments as (
    select distinct
        decision_at,
        date_trunc('hour', decision_at) as hour_at
    from decisions
),

progress as (
    select
        flight_id,
        min(known_at) filter (event = 'departed') as departed_known_at,
        min(delay_min) filter (event = 'departed') as departure_delay_min,
        min(known_at) filter (event = 'cancelled') as cancelled_known_at
    from movements
    group by all
),

-- joins by the hour, and only then by the minute, are what keeps this fast
due as (
    select
        *,
        date_trunc('hour', scheduled_departure_at) + to_hours(unnest(range(4))) as hour_at
    from flights
),

-- every flight that was due in the three hours before a decision, as it stood then
board as (
    select
        moments.decision_at,
        due.origin,
        due.carrier,
        progress.departed_known_at <= moments.decision_at as has_departed,
        progress.cancelled_known_at <= moments.decision_at as is_cancelled,
        not coalesce(has_departed, false) and not coalesce(is_cancelled, false) as is_waiting,
        case
            when has_departed then progress.departure_delay_min
            when is_waiting
                then date_diff('minute', due.scheduled_departure_at, moments.decision_at)
        end as delay_min,
        if(has_departed, progress.departed_known_at, null) as known_at
    from due
    inner join moments
        on
            due.hour_at = moments.hour_at
            and due.scheduled_departure_at <= moments.decision_at
            and due.scheduled_departure_at > moments.decision_at - interval '3 hours'
    left join progress on due.flight_id = progress.flight_id
),

carrier_boards as (
    select
        decision_at,
        origin,
        carrier,
        count(*) filter (is_waiting) as waiting,
        sum(delay_min) as delays_min,
        count(delay_min) as delayed,
        max(known_at) as known_at
    from board
    group by all
),

origin_boards as (
    select
        decision_at,
        origin,
        cast(sum(waiting) as bigint) as waiting,
        sum(delays_min) as delays_min,
        sum(delayed) as delayed,
        max(known_at) as known_at
    from carrier_boards
    group by all
),

all_boards as (
    select
        decision_at,
        sum(delays_min) as delays_min,
        sum(delayed) as delayed,
        max(known_at) as known_at
    from origin_boards
    group by all
),

news as (
    select
        *,
        date_trunc('hour', known_at) + to_hours(unnest(range(5))) as hour_at
    from movements
),

-- what was told at the origin in the last hours
told as (
    select
        moments.decision_at,
        news.origin,
        count(*) filter (
            news.event = 'departed' and news.known_at > moments.decision_at - interval '2 hours'
        ) as departed_2h,
        count(*) filter (news.event = 'cancelled') as cancelled_3h,
        max(news.known_at) as known_at
    from news
    inner join moments
        on
            news.hour_at = moments.hour_at
            and news.known_at <= moments.decision_at
            and news.known_at > moments.decision_at - interval '3 hours'
    where news.event in ('departed', 'cancelled')
    group by all
),

destinations as (
    select distinct
        destination,
        decision_at,
        date_trunc('hour', decision_at) as hour_at
    from decisions
),

landed as (
    select
        destinations.destination,
        destinations.decision_at,
        avg(news.delay_min) as mean_delay_min,
        max(news.known_at) as known_at
    from news
    inner join flights on news.flight_id = flights.flight_id
    inner join destinations
        on
            flights.destination = destinations.destination
            and news.hour_at = destinations.hour_at
            and news.known_at <= destinations.decision_at
            and news.known_at > destinations.decision_at - interval '4 hours'
    where news.event = 'arrived' and news.delay_min is not null
    group by all
),

-- flights that share the hour, by what the schedules said when the decision was taken
versions as (
    select
        flight_id,
        origin,
        known_at,
        date_trunc('hour', scheduled_departure_at) as departure_hour_at
    from {{ ref('stg_flights__schedules') }}
    where {{ in_days('flight_date', 1) }}
),

loads as (
    select
        decisions.flight_id,
        count(distinct versions.flight_id) as departures
    from decisions
    inner join versions
        on
            decisions.origin = versions.origin
            and date_trunc('hour', decisions.scheduled_departure_at) = versions.departure_hour_at
            and decisions.decision_at >= versions.known_at
    group by all
),

final as (
    select
        decisions.flight_id,
        decisions.decision_at,
        loads.departures as origin_hour_departures,
        coalesce(origin_boards.waiting, 0) as origin_waiting,
        origin_boards.delays_min / nullif(origin_boards.delayed, 0) as origin_mean_delay_min,
        coalesce(carrier_boards.waiting, 0) as carrier_waiting,
        carrier_boards.delays_min / nullif(carrier_boards.delayed, 0) as carrier_mean_delay_min,
        coalesce(told.departed_2h, 0) as origin_departed_2h,
        (all_boards.delays_min - coalesce(origin_boards.delays_min, 0))
        / nullif(all_boards.delayed - coalesce(origin_boards.delayed, 0), 0)
            as other_origins_mean_delay_min,
        landed.mean_delay_min as destination_mean_arrival_delay_min,
        coalesce(told.cancelled_3h, 0) as origin_cancelled_3h,
        greatest(all_boards.known_at, told.known_at, landed.known_at) as known_at
    from decisions
    inner join loads on decisions.flight_id = loads.flight_id
    left join carrier_boards
        on
            decisions.decision_at = carrier_boards.decision_at
            and decisions.origin = carrier_boards.origin
            and decisions.carrier = carrier_boards.carrier
    left join origin_boards
        on
            decisions.decision_at = origin_boards.decision_at
            and decisions.origin = origin_boards.origin
    left join all_boards on decisions.decision_at = all_boards.decision_at
    left join told
        on
            decisions.decision_at = told.decision_at
            and decisions.origin = told.origin
    left join landed
        on
            decisions.decision_at = landed.decision_at
            and decisions.destination = landed.destination
)

select * from final
order by decision_at
