{{ config(materialized='view') }}

with

predictions as (
    select * from {{ ref('fct_block_time_predictions') }}
),

outcomes as (
    select * from {{ ref('fct_block_times') }}
),

-- what each role's answers cost, and what it cost that one of them was followed
policies as (
    select *
    from predictions
    union all
    select * replace ('decision' as role)
    from predictions
    where is_decision
),

realised as (
    select
        cast(policies.decision_at as date) as decision_date,
        policies.role,
        outcomes.air_time_min - policies.predicted_min as above_min,
        greatest(above_min, 0) * costs.too_low_per_unit
        + greatest(-above_min, 0) * costs.too_high_per_unit as cost_points
    from policies
    inner join outcomes using (flight_id)
    cross join {{ costs() }} as costs
),

final as (
    select
        decision_date,
        role,
        count(*) as flights,
        avg(abs(above_min)) as mean_absolute_error_min,
        sum(cost_points) as total_cost_points,
        avg(cost_points) as cost_per_flight_points
    from realised
    group by all
)

select * from final
