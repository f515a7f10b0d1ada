"""The only way in which a case touches a cluster: typed views, the watch-fed timeline, waits with limits, safety."""
