"""What callers hear, as files that Asterisk can play: prompts made beforehand, values (numbers, money, dates, names) made when they
are needed and kept.

`words` says a value in a language, `engines` make sound of words, `clips` keeps what was made, `library` brings the folder of prompts
up to date, `speaker` answers the sessions of callers.
"""
