-- every feed has in bronze exactly the rows that its manifests say were accepted
{%- set feeds = ["schedules", "movements", "weather", "planes", "airports", "airlines"] %}
with

landed as (
    select
        feed,
        _window,
        sum(accepted_rows) as accepted_rows
    from {{ ref('stg_flights__files') }}
    group by all
),

bronze as (
    {% for feed in feeds -%}
    select
        '{{ feed }}' as feed,
        _window,
        count(*) as bronze_rows
    from {{ ref('stg_flights__' ~ feed) }}
    group by all
    {{ "union all" if not loop.last }}
    {% endfor -%}
)

select
    landed.accepted_rows,
    bronze.*
from landed
full join bronze on landed.feed = bronze.feed and landed._window = bronze._window
where coalesce(landed.accepted_rows, 0) <> coalesce(bronze.bronze_rows, 0)
