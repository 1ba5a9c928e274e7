package engine

// islanders counts the services that this node answers as an island; 0 while it is none.
func (e *Engine) islanders() int {
	v := e.view.Load()
	if v == nil {
		return 0
	}
	return v.Islanders()
}
