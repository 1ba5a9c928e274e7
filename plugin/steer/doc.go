// Package steer decides who gets the traffic: configuration and a view of the world in, a Plan out.
//
// It is pure: no clock, no randomness, no state, no DNS wire. Nodes with the same configuration and the same view make the
// same plan, because every decision is made in integers and in the order of the file. Everything it returns may be shared.
package steer
