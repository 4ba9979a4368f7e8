package reel

import "time"

// DutyTTL is how long a duty is somebody's without a sign of life; it is renewed every third of that. As long as a lease: a keeper that
// died is replaced within that time.
const DutyTTL = LeaseTTL

// Duty is something that one process at a time does for all who share a ledger.
type Duty struct {
	Name    string
	Owner   string  // a key of the process's own, made anew at each start
	Who     string  // the process, for people
	Process Process // of an owner that is an enlisted supervisor
	Until   time.Time
}

// ScheduleDuty is keeping the appointments of the schedule.
const ScheduleDuty = "schedule"

// Appointment is a time at which a plan makes a batch. There is one row of each in the ledger, so it is kept once, whatever dies.
type Appointment struct {
	Plan  string           `json:"plan"`
	At    time.Time        `json:"at"`
	Batch string           `json:"batch,omitempty"`
	State AppointmentState `json:"state"`
	Note  string           `json:"note,omitempty"` // how it ended, for people
}

// AppointmentState is where an appointment stands.
type AppointmentState string

// An open appointment is begun, however far: its batch is made and run until it has ended. Seen is none: it notes since when a plan has the times
// that it has (in Note), for what lies before it has missed.
const (
	AppointmentSeen   AppointmentState = "seen"
	AppointmentOpen   AppointmentState = "open"
	AppointmentEnded  AppointmentState = "ended"
	AppointmentMissed AppointmentState = "missed"
)
