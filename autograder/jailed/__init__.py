"""What runs inside the jails: beside a student's code, and where its answers are judged. Imports nothing from outside of this folder.

In a jail this package goes by the name `jailed`.
"""
