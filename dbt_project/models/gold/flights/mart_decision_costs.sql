{{ config(materialized='view') }}

with

predictions as (
    select * from {{ ref('fct_predictions') }}
),

outcomes as (
    select * from {{ ref('fct_outcomes') }}
),

costs as (
    select * from {{ costs() }}
),

-- what each role's answers cost, and what it cost that one of them was followed
policies as (
    select *
    from predictions
    union all
    select * replace ('decision' as role)
    from predictions
    where is_decision
    union all
    select
        predictions.* replace (
            'never_act' as role,
            costs.positive_left_alone as cost_if_disrupted_points,
            costs.negative_left_alone as cost_if_on_time_points
        )
    from predictions
    cross join costs
    where predictions.is_decision
),

realised as (
    select
        cast({{ flights_local('policies.decision_at') }} as date) as decision_date,
        policies.role,
        if(
            outcomes.is_disrupted,
            policies.cost_if_disrupted_points,
            policies.cost_if_on_time_points
        ) as cost_points
    from policies
    inner join outcomes on policies.flight_id = outcomes.flight_id
),

final as (
    select
        decision_date,
        role,
        count(*) as flights,
        sum(cost_points) as total_cost_points,
        avg(cost_points) as cost_per_flight_points
    from realised
    group by all
)

select * from final
