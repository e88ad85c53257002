{# A window's rows are more or fewer than the manifests of the feed say were accepted. #}
{% test holds_what_landed(model, feed, files) %}
    with

    landed as (
        select
            _window,
            sum(accepted_rows) as accepted_rows
        from {{ files }}
        where feed = '{{ feed }}'
        group by all
    ),

    held as (
        select
            _window,
            count(*) as bronze_rows
        from {{ model }}
        group by all
    )

    select
        landed.accepted_rows,
        held.*
    from landed
    full join held on landed._window = held._window
    where coalesce(landed.accepted_rows, 0) <> coalesce(held.bronze_rows, 0)
{% endtest %}
