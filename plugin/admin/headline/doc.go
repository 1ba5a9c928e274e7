// Package headline tells what is the matter, by causes and not by counts: a node that is silent, a service on its standby, an AZ that is
// down, an endpoint. It is pure: everything comes from an api.Status, so that the command line, the dashboard and the API say the same.
// It hides nothing: while there is a cause of any kind the headline does not say that all is well.
package headline
