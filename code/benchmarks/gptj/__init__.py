"""GPT-J's room: news summarisation on CNN/DailyMail."""
