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

select *
from landed
full join bronze using (feed, _window)
where coalesce(accepted_rows, 0) <> coalesce(bronze_rows, 0)
