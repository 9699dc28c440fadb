package azure

import "github.com/akscert/akscert/pkg/report"

// Gap is what collectors and discovery make of the error: they ask for this
// method, so that they need not import the package.
func (e *Error) Gap() (reason report.Reason, message, hint string, retryable bool) {
	return e.Reason, e.Message, e.Hint, e.Retryable
}
