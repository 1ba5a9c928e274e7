package api

import "time"

// LoginLinkPath answers POST of a LoginLinkRequest with a LoginLink: the browser of whoever asks is then logged in to the dashboard as
// they are here.
const LoginLinkPath = Base + "/ui/links"

// A LoginLinkRequest says for whom the link is.
type LoginLinkRequest struct {
	Actor string `json:"actor,omitempty"`
	// Role is what the link is good for, no more than what who asks may; empty for the same.
	Role string `json:"role,omitempty" enum:"viewer|operator|admin"`
}

// A LoginLink works once.
type LoginLink struct {
	// Path is to be opened on the door at which it was asked for.
	Path      string    `json:"path"`
	ExpiresAt time.Time `json:"expires_at"`
}
