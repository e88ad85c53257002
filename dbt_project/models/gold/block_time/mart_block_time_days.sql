{{ config(materialized='view') }}

with

decisions as (
    select * from {{ ref('fct_block_time_predictions') }}
    where is_decision
),

outcomes as (
    select * from {{ ref('fct_block_times') }}
),

realised as (
    select
        cast(decisions.decision_at as date) as decision_date,
        outcomes.air_time_min - decisions.predicted_min as above_min,
        greatest(above_min, 0) * costs.too_low_per_unit
        + greatest(-above_min, 0) * costs.too_high_per_unit as cost_points
    from decisions
    inner join outcomes on decisions.flight_id = outcomes.flight_id
    cross join {{ costs() }} as costs
),

final as (
    select
        decision_date,
        count(*) as flights,
        sum(abs(above_min)) as total_absolute_error_min,
        sum(cost_points) as total_cost_points
    from realised
    group by all
)

select * from final
