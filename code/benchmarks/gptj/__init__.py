"""GPT-J: news summarisation on CNN/DailyMail."""
