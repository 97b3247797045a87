"""What was found out about segments: reports, studies, and the lists that became segments."""
