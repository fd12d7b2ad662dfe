"""What a failed Web API call means: the library's errors, translated once.

Any exception may come out of a call: the library reads a 200 with plain text, with bytes that are no UTF-8 or with JSON
of another form, as a proxy's page may be, as if it were Slack's.
"""

from __future__ import annotations

from datetime import timedelta

from aiohttp import ClientConnectorError, ConnectionTimeoutError
from slack_sdk.errors import SlackApiError

from bot.errors import SendError, SendFailed, SendLimited, SendRefused, SendUnknown

CLOSED = frozenset(
    {
        "is_archived",
        "restricted_action",
        "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
    }
)
"""The bot is in that channel and may not post there."""
_REFUSED = CLOSED | frozenset(
    {
        "as_user_not_supported",
        "cannot_reply_to_message",
        "channel_not_found",
        "ekm_access_denied",
        "external_channel_migrating",
        "invalid_arguments",
        "is_inactive",
        "markdown_text_conflict",
        "messages_tab_disabled",
        "metadata_too_large",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "not_in_channel",
        "slack_connect_canvas_sharing_blocked",
        "slack_connect_file_link_sharing_blocked",
        "slack_connect_lists_sharing_blocked",
        "thread_not_found",
        "user_disabled",
        "user_not_found",
        "user_not_in_channel",
        "user_not_visible",
    }
)
_MAYBE_DONE = frozenset({"fatal_error", "internal_error"})
"""Slack's reference: "It's possible some aspect of the operation succeeded"."""
AUTH_ERRORS = frozenset(
    {
        "access_denied",
        "account_inactive",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "socket_mode_not_enabled",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
"""Trying again at once cannot help: somebody must change the app or the token."""
_RATE_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_DEFAULT_RETRY_AFTER_S = 5.0
_LEAST_RETRY_AFTER_S = 1.0
"""Asking again at once, for as long as we are told to wait for nothing, would be a flood."""
_MOST_RETRY_AFTER_S = 3600.0
_SILENT = "HTTP 200"
"""`error_code` of an answer that is neither "ok" nor an error."""
_HTTP_LIMITED = 429
_HTTP_UNAVAILABLE = 503
_HTTP_SERVER_ERROR = 500


def error_code(error: SlackApiError) -> str:
    """The code that Slack gave, or the HTTP status where the answer was no JSON."""
    data = getattr(error.response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    return code if isinstance(code, str) and code else f"HTTP {_status(error)}"


def retry_after(error: SlackApiError) -> timedelta | None:
    """How long Slack asks us to wait; None if it does not."""
    if _status(error) != _HTTP_LIMITED and error_code(error) not in _RATE_LIMITED:
        return None
    headers = getattr(error.response, "headers", None) or {}
    try:
        seconds = float(headers.get("Retry-After", _DEFAULT_RETRY_AFTER_S))
    except ValueError:
        seconds = _DEFAULT_RETRY_AFTER_S
    # In this order, what is no number is the least.
    return timedelta(seconds=min(max(_LEAST_RETRY_AFTER_S, seconds), _MOST_RETRY_AFTER_S))


def send_error(error: Exception) -> SendError:
    """What a failed post means for delivery.

    Args:
        error: whatever the call raised, or the reading of its answer.
    """
    if isinstance(error, SlackApiError):
        return _api_error(error)
    if isinstance(error, ClientConnectorError | ConnectionTimeoutError):
        return SendFailed(f"Slack cannot be reached ({type(error).__name__})")
    return SendUnknown(f"no answer from Slack ({type(error).__name__})")


def _api_error(error: SlackApiError) -> SendError:
    wait = retry_after(error)
    if wait is not None:
        return SendLimited(wait)
    code, status = error_code(error), _status(error)
    if code in _REFUSED:
        return SendRefused(f"Slack refuses the message ({code})")
    # A gateway's 500, 502 or 504 says nothing of what the server behind it did; only 503 means "not begun".
    broken = status >= _HTTP_SERVER_ERROR and status != _HTTP_UNAVAILABLE
    if code in _MAYBE_DONE or broken or code == _SILENT:
        return SendUnknown(f"Slack broke down, the message may be there ({code})")
    return SendFailed(f"Slack did not take the message ({code})")


def _status(error: SlackApiError) -> int:
    response = error.response
    # After a body that is no JSON the library hands over aiohttp's response instead of its own.
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    return status if isinstance(status, int) else 0
