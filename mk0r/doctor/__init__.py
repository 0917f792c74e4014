"""What `manage.py doctor` finds out: one file for each vendor, and what they share.

`report` is what was found, `looking` how a vendor is asked, `examination` asks all of them at once, `installation`
looks at what is ours, `telling` puts it into words.
"""
