"""The operator's pages at ``/dashboard``, rendered here and usable without JavaScript."""
