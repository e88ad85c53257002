{# First (1) or last (2) moment of a landed window, from its key. #}
{% macro window_bound(position) -%}
    try_strptime(split_part(_window, '--', {{ position }}), '%Y-%m-%dT%H%M')
{%- endmacro %}

{#
    When a row could first be known: when it was sent, but not before the window that it came in.
    What is decided in a window so depends on nothing that landed later, whatever moment it claims.
#}
{% macro known_at(sent_at) -%}
    greatest({{ sent_at }}, {{ window_bound(1) }})
{%- endmacro %}

{# Where a row came from, and whether a person corrected it since. #}
{% macro provenance() -%}
    _file, _row, _sha256, _loaded_at, _run_id, _window, coalesce(_is_corrected, false) as _is_corrected
{%- endmacro %}
