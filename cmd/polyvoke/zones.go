package main

import _ "time/tzdata" // schedules name zones, which a system need not have
