"""The Slack adapter, through slack-bolt and slack-sdk, against the Slack test server."""
