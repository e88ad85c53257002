{{ config(materialized='view') }}

with

decisions as (
    select * from {{ ref('fct_predictions') }}
    where is_decision
),

outcomes as (
    select * from {{ ref('fct_outcomes') }}
),

costs as (
    select * from {{ costs() }}
),

realised as (
    select
        date_trunc('hour', decisions.decision_at) as hour_at,
        decisions.is_acted,
        outcomes.is_disrupted,
        if(
            outcomes.is_disrupted,
            decisions.cost_if_disrupted_points,
            decisions.cost_if_on_time_points
        ) as cost_points,
        if(
            outcomes.is_disrupted,
            costs.positive_left_alone,
            costs.negative_left_alone
        ) as never_act_cost_points
    from decisions
    inner join outcomes on decisions.flight_id = outcomes.flight_id
    cross join costs
),

-- by the hour first, as the clock of each flight takes longer than all else
hours as (
    select
        hour_at,
        count(*) as flights,
        count(*) filter (is_disrupted) as disrupted_flights,
        count(*) filter (is_acted) as acted_flights,
        sum(cost_points) as total_cost_points,
        sum(never_act_cost_points - cost_points) as saved_points
    from realised
    group by all
),

days as (
    select
        cast({{ flights_local('hour_at') }} as date) as decision_date,
        cast(sum(flights) as bigint) as flights,
        cast(sum(disrupted_flights) as bigint) as disrupted_flights,
        cast(sum(acted_flights) as bigint) as acted_flights,
        sum(total_cost_points) as total_cost_points,
        sum(saved_points) as saved_points
    from hours
    group by all
),

final as (
    select
        *,
        disrupted_flights / flights as disrupted_share,
        acted_flights / flights as acted_share,
        total_cost_points / flights as cost_per_flight_points
    from days
)

select * from final
