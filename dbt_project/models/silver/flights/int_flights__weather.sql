{{ config(incremental_predicates=[in_range('known_at')]) }}

with

observations as (
    select *
    from {{ ref('stg_flights__weather') }}
    where {{ in_range_since('known_at', '2 days') }}
    qualify row_number() over (
        partition by origin, known_at order by observed_at desc, _file desc, _row desc
    ) = 1
),

-- what comes late tells nothing new
newest as (
    select *
    from observations
    qualify observed_at > coalesce(
        max(observed_at) over (
            partition by origin order by known_at
            range between interval '2 days' preceding and interval '1 microsecond' preceding
        ),
        '-infinity'
    )
),

final as (
    select
        origin,
        observed_at,
        temperature_f,
        dew_point_f,
        humidity_pct,
        wind_direction_deg,
        wind_speed_mph,
        wind_gust_mph,
        precipitation_in,
        pressure_hpa,
        visibility_mi,
        known_at
    from newest
    where {{ in_range('known_at') }}
)

select * from final
order by known_at
